#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the page's files as a C source: embed.py OUT FILE..."""
import hashlib
import pathlib
import sys

out = ['/* Made by platform/web/embed.py at build time. */',
       '#include "platform/web/web.h"', '']
for name in sys.argv[2:]:
    data = pathlib.Path(name).read_bytes()
    ident = pathlib.Path(name).name.replace('.', '_')
    etag = hashlib.sha256(data).hexdigest()[:32]
    out.append('static const uint8_t %s_bytes[] = {' % ident)
    for i in range(0, len(data), 16):
        out.append('\t' + ''.join('%d,' % b for b in data[i:i + 16]))
    out.append('};')
    out.append('const struct cw_web_file cw_web_%s = {' % ident)
    out.append('\t"\\"%s\\"", %s_bytes, sizeof(%s_bytes)' % (etag, ident, ident))
    out.append('};')
    out.append('')
pathlib.Path(sys.argv[1]).write_text('\n'.join(out))
