import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a certificate authority, and a certificate of it for localhost. What is told are the paths. */
export function makeCertificates(directory: string): { ca: string; cert: string; key: string } {
  const file = (name: string): string => join(directory, name);
  const openssl = (...parameters: string[]): void => {
    execFileSync("openssl", parameters, { stdio: "ignore", cwd: directory });
  };
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...fresh,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
  );
  openssl("req", ...fresh, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(file("san.cnf"), "subjectAltName = DNS:localhost, IP:127.0.0.1\n");
  const signing = [
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    "san.cnf",
  ];
  openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signing);
  return { ca: file("ca.pem"), cert: file("server.pem"), key: file("server.key") };
}
