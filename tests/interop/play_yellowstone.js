// Plays with yellowstone, over TCP, to the end of the movie, on the argument URL.
//
// Each RTP packet goes to stdout behind its length in two bytes (RFC 4571).

const { RtspClient } = require("yellowstone");

const BYE = 203;
const client = new RtspClient();
let hasEnded = false;

// Of the packet it hands over all but 16 bytes, as if there were an extension: they are before it.
client.on("data", (channel, { buffer, byteOffset, length }) => {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(length + 16);
  process.stdout.write(Buffer.concat([size, Buffer.from(buffer, byteOffset - 16, length + 16)]));
});

client.on("controlData", (channel, report) => {
  for (let at = 0; at < report.payload.length; at += 4 + 4 * report.payload.readUInt16BE(at + 2)) {
    if (report.payload[at + 1] === BYE) end();
  }
});

// TEARDOWN is answered with one more BYE and a reply, which it overlooks within the same segment.
function end() {
  client.close(hasEnded);
  hasEnded = true;
}

client.connect(process.argv[2]).then(() => client.play());
