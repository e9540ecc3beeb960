"""What CPython for Windows 10 asks for at its start, and Wine 8 does not have."""

import sys

sys.modules["_wmi"] = None  # type: ignore[assignment]  # `platform` then asks another way

import _winapi  # noqa: E402

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2  # shutil then copies by itself
