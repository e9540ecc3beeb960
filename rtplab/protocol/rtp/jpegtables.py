"""The example tables of JPEG (ITU-T T.81 Annex K), which RFC 2435 prescribes.

Nearly every encoder uses these Huffman tables unless it is told to optimise, and an RTP/JPEG
receiver uses them always, since they are not sent. Quantization tables stand in zigzag order.
"""

from __future__ import annotations

DC, AC = 0, 1
LUMA, CHROMA = 0, 1

# (class, id) -> how many codes have 1..16 bits, then the values in order of their codes.
STANDARD_HUFFMAN: dict[tuple[int, int], bytes] = {
    # Table K.3
    (DC, LUMA): bytes.fromhex(
        "00010501010101010100000000000000"
        "000102030405060708090a0b"
    ),
    # Table K.4
    (DC, CHROMA): bytes.fromhex(
        "00030101010101010101010000000000"
        "000102030405060708090a0b"
    ),
    # Table K.5
    (AC, LUMA): bytes.fromhex(
        "0002010303020403050504040000017d"
        "01020300041105122131410613516107227114328191a1082342b1"
        "c11552d1f02433627282090a161718191a25262728292a34353637"
        "38393a434445464748494a535455565758595a636465666768696a"
        "737475767778797a838485868788898a92939495969798999aa2a3"
        "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3"
        "d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
    # Table K.6
    (AC, CHROMA): bytes.fromhex(
        "00020102040403040705040400010277"
        "000102031104052131061241510761711322328108144291a1b1c1"
        "09233352f0156272d10a162434e125f11718191a262728292a353637"
        "38393a434445464748494a535455565758595a63646566676869"
        "6a737475767778797a82838485868788898a92939495969798999a"
        "a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9ca"
        "d2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
}  # fmt: skip

# Table K.1
STANDARD_LUMA_QUANT = bytes([
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
])  # fmt: skip

# Table K.2
STANDARD_CHROMA_QUANT = bytes([
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
])  # fmt: skip
