import { request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** The path as it is given: a browser would tidy it up first. */
export function ask(server: Server, path: string, method = "GET", headers = {}): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: portOf(server), path, method, headers }, (response) => {
      let body = "";
      response.on("data", (data: Buffer) => {
        body += data.toString();
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    });
    asked.on("error", reject).end();
  });
}
