"""The lab's server, as it is given: a worker for each connection."""

import socket
import sys

from ServerWorker import ServerWorker


class Server:
    def main(self):
        try:
            SERVER_PORT = int(sys.argv[1])
        except:
            print("[Usage: Server.py Server_port]\n")
            return
        rtspSocket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        rtspSocket.bind(("", SERVER_PORT))
        rtspSocket.listen(5)

        while True:
            clientInfo = {}
            clientInfo["rtspSocket"] = rtspSocket.accept()
            ServerWorker(clientInfo).run()


if __name__ == "__main__":
    (Server()).main()
