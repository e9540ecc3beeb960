import java.awt.BorderLayout;
import java.awt.GridLayout;
import java.awt.Toolkit;
import java.awt.event.WindowAdapter;
import java.awt.event.WindowEvent;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.io.OutputStreamWriter;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.StringTokenizer;
import javax.swing.ImageIcon;
import javax.swing.JButton;
import javax.swing.JFrame;
import javax.swing.JLabel;
import javax.swing.JPanel;
import javax.swing.Timer;

/** The lab's client in Java, completed: four buttons, and a timer that looks for packets. */
public class Client {
    enum State { INIT, READY, PLAYING }

    static final int RTP_PORT = 25000;

    final JFrame frame = new JFrame("Client");
    final JLabel picture = new JLabel();
    final Timer timer = new Timer(20, event -> receive());
    final byte[] buffer = new byte[15000];
    State state = State.INIT;
    DatagramSocket rtp;
    BufferedReader in;
    BufferedWriter out;
    String video;
    String session = "0";
    int sequence;
    int newest;

    Client() {
        JPanel buttons = new JPanel(new GridLayout(1, 0));
        add(buttons, "Setup", this::setUp);
        add(buttons, "Play", this::play);
        add(buttons, "Pause", this::pause);
        add(buttons, "Close", this::tearDown);
        frame.getContentPane().add(buttons, BorderLayout.NORTH);
        frame.getContentPane().add(picture, BorderLayout.CENTER);
        frame.addWindowListener(new WindowAdapter() {
            @Override
            public void windowClosing(WindowEvent event) {
                System.exit(0);
            }
        });
        frame.setSize(420, 380);
        timer.setInitialDelay(0);
        timer.setCoalesce(true);
    }

    private static void add(JPanel panel, String text, Runnable action) {
        JButton button = new JButton(text);
        button.addActionListener(event -> action.run());
        panel.add(button);
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client();
        client.frame.setVisible(true);
        Socket rtsp =
            new Socket(InetAddress.getByName(arguments[0]), Integer.parseInt(arguments[1]));
        client.video = arguments[2];
        client.in = new BufferedReader(new InputStreamReader(rtsp.getInputStream()));
        client.out = new BufferedWriter(new OutputStreamWriter(rtsp.getOutputStream()));
    }

    private void setUp() {
        if (state != State.INIT) {
            return;
        }
        try {
            rtp = new DatagramSocket(RTP_PORT);
            rtp.setSoTimeout(5);
        } catch (SocketException error) {
            System.out.println("Socket exception: " + error);
            return;
        }
        sequence = 1;
        if (ask("SETUP") == 200) {
            state = State.READY;
        } else {
            rtp.close();
        }
    }

    private void play() {
        if (state == State.READY) {
            sequence++;
            if (ask("PLAY") == 200) {
                state = State.PLAYING;
                timer.start();
            }
        }
    }

    private void pause() {
        if (state == State.PLAYING) {
            sequence++;
            if (ask("PAUSE") == 200) {
                state = State.READY;
                timer.stop();
            }
        }
    }

    private void tearDown() {
        sequence++;
        if (ask("TEARDOWN") == 200) {
            state = State.INIT;
            timer.stop();
            System.exit(0);
        }
    }

    private void receive() {
        DatagramPacket datagram = new DatagramPacket(buffer, buffer.length);
        try {
            rtp.receive(datagram);
            RTPpacket packet = new RTPpacket(datagram.getData(), datagram.getLength());
            if (packet.getsequencenumber() > newest) {
                newest = packet.getsequencenumber();
                picture.setIcon(
                    new ImageIcon(Toolkit.getDefaultToolkit().createImage(packet.payload)));
            }
        } catch (InterruptedIOException nothing) {
            return;
        } catch (IOException error) {
            System.out.println("Exception caught: " + error);
        }
    }

    private int ask(String method) {
        try {
            out.write(method + " " + video + " RTSP/1.0\r\nCSeq: " + sequence + "\r\n");
            if (method.equals("SETUP")) {
                out.write("Transport: RTP/UDP; client_port= " + RTP_PORT + "\r\n");
            } else {
                out.write("Session: " + session + "\r\n");
            }
            out.flush();
            StringTokenizer status = new StringTokenizer(in.readLine());
            status.nextToken();
            int code = Integer.parseInt(status.nextToken());
            if (code == 200) {
                in.readLine();
                StringTokenizer third = new StringTokenizer(in.readLine());
                third.nextToken();
                session = third.nextToken();
            }
            return code;
        } catch (IOException error) {
            System.out.println("Exception caught: " + error);
            return 0;
        }
    }
}
