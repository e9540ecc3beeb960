// rtsp-streaming-server: SERVER_PORT (for who publishes) CLIENT_PORT (for viewers) RTP_PORTS (first)

const { RtspServer } = require("rtsp-streaming-server");

const [serverPort, clientPort, rtpPortStart] = process.argv.slice(2).map(Number);
new RtspServer({ serverPort, clientPort, rtpPortStart, rtpPortCount: 100 }).start();
