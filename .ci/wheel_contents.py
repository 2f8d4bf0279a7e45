"""Compare the files of a built wheel with the files that git tracks in its packages."""

import subprocess
import sys
import zipfile

SOURCES = {"tensorgrad/": "tensorgrad/", "backends/": "tensorgrad/backends/"}
SOURCES["kernels/"] = "tensorgrad/kernels/"
LINKS = {"tensorgrad/backends", "tensorgrad/kernels"}


def main() -> None:
    tracked = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True)
    expected = {
        target + path.removeprefix(source)
        for path in tracked.stdout.splitlines()
        for source, target in SOURCES.items()
        if path.startswith(source) and path not in LINKS
    }
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    if packed != expected:
        missing, surplus = sorted(expected - packed), sorted(packed - expected)
        raise SystemExit(f"{sys.argv[1]}: missing {missing}, surplus {surplus}")
    print(f"{sys.argv[1].rpartition('/')[2]}: {len(packed)} files, as tracked")


if __name__ == "__main__":
    main()
