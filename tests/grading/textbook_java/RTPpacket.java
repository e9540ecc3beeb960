/** The lab's packet in Java, completed. */
public class RTPpacket {
    static final int HEADER_SIZE = 12;
    public byte[] header = new byte[HEADER_SIZE];
    public byte[] payload;

    public RTPpacket(int type, int number, int time, byte[] data, int length) {
        header[0] = (byte) (2 << 6);
        header[1] = (byte) (type & 0x7f);
        header[2] = (byte) (number >> 8);
        header[3] = (byte) number;
        for (int i = 0; i < 4; i++) {
            header[4 + i] = (byte) (time >> (24 - 8 * i));
            header[8 + i] = 0;
        }
        payload = new byte[length];
        System.arraycopy(data, 0, payload, 0, length);
    }

    public RTPpacket(byte[] packet, int size) {
        if (size > HEADER_SIZE) {
            System.arraycopy(packet, 0, header, 0, HEADER_SIZE);
            payload = new byte[size - HEADER_SIZE];
            System.arraycopy(packet, HEADER_SIZE, payload, 0, payload.length);
        }
    }

    public int getsequencenumber() {
        return (header[2] & 0xff) << 8 | (header[3] & 0xff);
    }

    public byte[] getpacket() {
        byte[] packet = new byte[HEADER_SIZE + payload.length];
        System.arraycopy(header, 0, packet, 0, HEADER_SIZE);
        System.arraycopy(payload, 0, packet, HEADER_SIZE, payload.length);
        return packet;
    }
}
