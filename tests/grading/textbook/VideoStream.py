"""The lab's VideoStream, as it is given: five digits, then as many bytes."""


class VideoStream:
    def __init__(self, filename):
        self.filename = filename
        try:
            self.file = open(filename, "rb")
        except:
            raise IOError
        self.frameNum = 0

    def nextFrame(self):
        """The next frame, or nothing at the end."""
        data = self.file.read(5)
        if data:
            framelength = int(data)
            data = self.file.read(framelength)
            self.frameNum += 1
        return data

    def frameNbr(self):
        """The number of the frame that came last."""
        return self.frameNum
