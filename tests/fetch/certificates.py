# SPDX-License-Identifier: MIT
"""A certificate authority for one test, and what it signs; made by the openssl command."""
import shutil
import subprocess

OPENSSL = shutil.which("openssl")


def openssl(*arguments):
    subprocess.run([OPENSSL, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


class Authority:
    def __init__(self, root, name):
        self.root, self.name = root, name
        self.key, self.pem = root / (name + ".key"), root / (name + ".pem")
        self.new_key(self.key)
        openssl("req", "-x509", "-new", "-key", str(self.key), "-out", str(self.pem), "-days", "30",
                "-subj", "/CN=strait test " + name, "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def new_key(path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))

    def sign(self, name, alternatives, days=30):
        """-> (certificate, key), files in PEM. days < 0: it has expired."""
        key, request, pem = (self.root / (name + ending) for ending in (".key", ".csr", ".pem"))
        self.new_key(key)
        openssl("req", "-new", "-key", str(key), "-out", str(request), "-subj", "/CN=" + name)
        extensions = self.root / (name + ".ext")
        extensions.write_text("subjectAltName=%s\nextendedKeyUsage=serverAuth\n" % alternatives)
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.pem), "-CAkey", str(self.key), "-CAcreateserial",
                "-days", str(days), "-extfile", str(extensions), "-out", str(pem))
        return pem, key
