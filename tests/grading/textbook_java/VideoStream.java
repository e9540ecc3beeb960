import java.io.FileInputStream;
import java.io.IOException;

/** The lab's movie in Java: five digits, then as many bytes. */
public class VideoStream {
    private final FileInputStream file;

    public VideoStream(String name) throws IOException {
        file = new FileInputStream(name);
    }

    public int getnextframe(byte[] frame) throws IOException {
        byte[] digits = new byte[5];
        if (file.read(digits, 0, 5) < 5) {
            return 0;
        }
        return file.read(frame, 0, Integer.parseInt(new String(digits)));
    }
}
