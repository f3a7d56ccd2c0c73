# SPDX-License-Identifier: ISC
"""tree.py DIR - what lies below DIR, so that two runs can be compared

A line for each directory, link and file with its mode, then the file's lines.  Unique
names of Maildirs, directories and MH temporaries become <U>; so do dates of From_
lines of today, and the columns of the log's abstract.  Lines that begin with
`procmail: ` are left out: what is told may be worded differently.
"""
import os
import re
import stat
import sys

top = sys.argv[1]
unique = re.compile(r"((?:/|^)(?:new|cur|tmp)/|(?:/|^)(?:msg|p)\.)[^/\s]+")
out = []
for d, dirs, files in os.walk(top):
    for name in dirs + files:
        path = os.path.join(d, name)
        sb = os.lstat(path)
        shown = unique.sub(r"\1<U>", os.path.relpath(path, top))
        text = stat.filemode(sb.st_mode) + " " + shown
        if stat.S_ISLNK(sb.st_mode):
            text += " -> " + os.readlink(path)
        elif stat.S_ISREG(sb.st_mode):
            if sb.st_nlink > 1:
                text += " links=%d" % sb.st_nlink
            with open(path, "rb") as f:
                data = f.read().decode("latin-1")
            for line in data.split("\n"):
                if line.startswith("procmail: "):
                    continue
                line = re.sub(r"^(From \S+ +)\w{3} \w{3} [ \d]\d [\d:]{8} 20(?:2[4-9]|[3-9]\d)$", r"\1<NOW>", line)
                if line.startswith("  Folder: "):
                    line = re.sub(r"[ \t]+", " ", unique.sub(r"\1<U>", line))
                text += "\n| " + line
        out.append(text)
print("\n".join(sorted(out)))
