import java.awt.event.ActionEvent;
import java.awt.event.ActionListener;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.StringTokenizer;
import javax.swing.JFrame;
import javax.swing.JLabel;
import javax.swing.Timer;

/** The lab's server in Java: one client, and a window that says which frame was sent. */
public class Server extends JFrame implements ActionListener {
    static final int FRAME_PERIOD = 100;
    static final int MJPEG_TYPE = 26;

    final JLabel label = new JLabel("Send frame #");
    final Timer timer = new Timer(FRAME_PERIOD, this);
    final byte[] buffer = new byte[15000];
    final int session = 100000 + (int) (Math.random() * 800000);
    DatagramSocket rtp;
    InetAddress client;
    int clientPort;
    int number;
    VideoStream video;
    BufferedReader in;
    BufferedWriter out;
    String sequence = "0";
    String name;

    public Server() {
        super("Server");
        getContentPane().add(label);
        timer.setInitialDelay(0);
    }

    public static void main(String[] arguments) throws Exception {
        Server server = new Server();
        server.pack();
        server.setVisible(true);
        ServerSocket listener = new ServerSocket(Integer.parseInt(arguments[0]));
        Socket rtsp = listener.accept();
        server.client = rtsp.getInetAddress();
        server.in = new BufferedReader(new InputStreamReader(rtsp.getInputStream()));
        server.out = new BufferedWriter(new OutputStreamWriter(rtsp.getOutputStream()));
        server.serve();
    }

    private void serve() throws Exception {
        boolean isSetUp = false;
        while (true) {
            String method = request();
            if (method.equals("SETUP") && !isSetUp) {
                isSetUp = true;
                reply();
                video = new VideoStream(name);
                rtp = new DatagramSocket();
            } else if (method.equals("PLAY") && isSetUp) {
                reply();
                timer.start();
            } else if (method.equals("PAUSE") && isSetUp) {
                reply();
                timer.stop();
            } else if (method.equals("TEARDOWN")) {
                reply();
                timer.stop();
                rtp.close();
                System.exit(0);
            }
        }
    }

    public void actionPerformed(ActionEvent event) {
        try {
            int length = video.getnextframe(buffer);
            if (length <= 0) {
                timer.stop();
                return;
            }
            number++;
            RTPpacket packet =
                new RTPpacket(MJPEG_TYPE, number, number * FRAME_PERIOD, buffer, length);
            byte[] bytes = packet.getpacket();
            rtp.send(new DatagramPacket(bytes, bytes.length, client, clientPort));
            label.setText("Send frame #" + number);
        } catch (Exception error) {
            System.out.println("Exception caught: " + error);
            System.exit(0);
        }
    }

    private String request() throws Exception {
        StringTokenizer first = new StringTokenizer(in.readLine());
        String method = first.nextToken();
        if (method.equals("SETUP")) {
            name = first.nextToken();
        }
        StringTokenizer second = new StringTokenizer(in.readLine());
        second.nextToken();
        sequence = second.nextToken();
        StringTokenizer third = new StringTokenizer(in.readLine());
        if (method.equals("SETUP")) {
            for (int i = 0; i < 3; i++) {
                third.nextToken();
            }
            clientPort = Integer.parseInt(third.nextToken());
        }
        return method;
    }

    private void reply() throws Exception {
        out.write("RTSP/1.0 200 OK\r\nCSeq: " + sequence + "\r\nSession: " + session + "\r\n");
        out.flush();
    }
}
