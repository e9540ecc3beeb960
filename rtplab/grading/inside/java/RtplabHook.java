import java.awt.Button;
import java.awt.Component;
import java.awt.Container;
import java.awt.Label;
import java.awt.Window;
import java.awt.event.ActionEvent;
import java.awt.event.ActionListener;
import java.awt.event.WindowEvent;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.swing.AbstractButton;
import javax.swing.JLabel;
import javax.swing.SwingUtilities;

/**
 * Java loads this first in a submission's client: it finds and presses the window's buttons.
 *
 * The orders and answers are those of sitecustomize.py, as lines of JSON. What it says improves
 * sentences; no points rest on it.
 */
public class RtplabHook {
    private static final String[][] BUTTONS = {
        {"setup", "setup", "init", "load", "connect"},
        {"play", "play", "start", "resume"},
        {"pause", "pause"},
        {"teardown", "teardown", "close", "stop", "exit", "quit"},
        {"describe", "describe"},
    };
    private static final Pattern FIELD = Pattern.compile("\"(do|button)\": ?\"([^\"]*)\"");
    private static OutputStream out;

    public static void premain(String port) throws IOException {
        Socket socket = new Socket("127.0.0.1", Integer.parseInt(port));
        out = socket.getOutputStream();
        BufferedReader in = new BufferedReader(
            new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        Thread thread = new Thread(() -> listen(in), "grader hook");
        thread.setDaemon(true);
        thread.start();
    }

    private static void listen(BufferedReader in) {
        try {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String order = "";
                String button = "";
                Matcher fields = FIELD.matcher(line);
                while (fields.find()) {
                    if (fields.group(1).equals("do")) {
                        order = fields.group(2);
                    } else {
                        button = fields.group(2);
                    }
                }
                obey(order, button);
            }
        } catch (IOException | InterruptedException error) {
            // The grader has gone, and so does the hook.
        }
    }

    private static void obey(String order, String button) throws InterruptedException {
        if (order.equals("stack")) {
            say("\"name\": \"stack\", \"threads\": " + stacks());
            return;
        }
        while (windows().isEmpty()) {
            Thread.sleep(20);
        }
        SwingUtilities.invokeLater(() -> {
            if (order.equals("ping")) {
                say("\"name\": \"pong\"");
            } else if (order.equals("labels")) {
                say("\"name\": \"labels\", \"texts\": " + labels());
            } else if (order.equals("close")) {
                say("\"name\": \"closing\"");
                for (Window window : windows()) {
                    window.dispatchEvent(new WindowEvent(window, WindowEvent.WINDOW_CLOSING));
                }
            } else if (order.equals("click")) {
                click(button);
            }
        });
    }

    private static void click(String name) {
        Component found = null;
        for (String[] words : BUTTONS) {
            for (int i = 1; words[0].equals(name.toLowerCase(Locale.ROOT)) && i < words.length; i++) {
                if (found == null) {
                    found = buttonWith(words[i]);
                }
            }
        }
        say("\"name\": \"clicked\", \"button\": " + quoted(name) + ", \"found\": " + (found != null));
        if (found instanceof AbstractButton) {
            ((AbstractButton) found).doClick(0);
        } else if (found instanceof Button) {
            Button button = (Button) found;
            ActionEvent event = new ActionEvent(
                button, ActionEvent.ACTION_PERFORMED, button.getActionCommand());
            for (ActionListener listener : button.getActionListeners()) {
                listener.actionPerformed(event);
            }
        }
    }

    private static Component buttonWith(String word) {
        for (Component component : components()) {
            String text = component instanceof AbstractButton
                ? ((AbstractButton) component).getText()
                : component instanceof Button ? ((Button) component).getLabel() : null;
            if (text != null && text.toLowerCase(Locale.ROOT).replaceAll("[^a-z]", "").equals(word)) {
                return component;
            }
        }
        return null;
    }

    private static String labels() {
        List<String> texts = new ArrayList<>();
        for (Component component : components()) {
            String text = component instanceof JLabel
                ? ((JLabel) component).getText()
                : component instanceof Label ? ((Label) component).getText() : null;
            if (text != null && !text.isEmpty()) {
                texts.add(quoted(text));
            }
        }
        return "[" + String.join(", ", texts) + "]";
    }

    private static List<Window> windows() {
        List<Window> shown = new ArrayList<>();
        for (Window window : Window.getWindows()) {
            if (window.isShowing()) {
                shown.add(window);
            }
        }
        return shown;
    }

    private static List<Component> components() {
        List<Component> found = new ArrayList<>();
        for (Window window : windows()) {
            collect(window, found);
        }
        return found;
    }

    private static void collect(Container container, List<Component> found) {
        for (Component component : container.getComponents()) {
            found.add(component);
            if (component instanceof Container) {
                collect((Container) component, found);
            }
        }
    }

    private static String stacks() {
        List<String> threads = new ArrayList<>();
        for (Map.Entry<Thread, StackTraceElement[]> entry : Thread.getAllStackTraces().entrySet()) {
            for (StackTraceElement place : entry.getValue()) {
                if (!place.getClassName().matches("(java|javax|sun|jdk)\\..*|RtplabHook.*")) {
                    String text = place.getFileName() + ": " + place.getMethodName() + " line "
                        + place.getLineNumber();
                    threads.add(quoted(entry.getKey().getName()) + ": " + quoted(text));
                    break;
                }
            }
        }
        return "{" + String.join(", ", threads) + "}";
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.substring(0, Math.min(text.length(), 200)).toCharArray()) {
            quoted.append(c < 32 || c > 126 || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
        }
        return quoted.append('"').toString();
    }

    private static synchronized void say(String fields) {
        try {
            out.write(("{" + fields + "}\n").getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException error) {
            // The grader has gone.
        }
    }
}
