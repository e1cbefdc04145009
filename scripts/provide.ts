// Makes sure that the programs named on the command line are installed, because the tests run real servers.
// Installs what is missing where that needs no question (Debian, as root or with sudo that asks for no password).
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where Debian and others put servers, although the PATH of a user often lacks it. The tests look there too. */
const SERVER_FOLDERS = ["/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
const DEBIAN_PACKAGES = new Map([
  ["nats-server", "nats-server"],
  ["redis-server", "redis-server"],
  ["chromium", "chromium"],
  ["python3", "python3"],
  ["curl", "curl"],
]);
/** Asked by Debian's packages before they start a service. 101 is no. */
const POLICY = "/usr/sbin/policy-rc.d";
const START_NOTHING = "#!/bin/sh\nexit 101\n";

const missing = process.argv.slice(2).filter((program) => !isInstalled(program));
if (missing.length > 0 && !(canInstall() && install(missing))) {
  const packages = missing.map(packageOf).join(" ");
  console.error(
    `The tests need ${missing.join(" and ")}. On Debian and Ubuntu: sudo apt-get install ${packages}`,
  );
  console.error(
    "Elsewhere, install them so that they are on the PATH. They are started by the tests, not as services.",
  );
  process.exit(1);
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SERVER_FOLDERS];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function packageOf(program: string): string {
  return DEBIAN_PACKAGES.get(program) ?? program;
}

function canInstall(): boolean {
  return isInstalled("apt-get") && runAsRoot(["true"]);
}

function install(programs: readonly string[]): boolean {
  console.log(`Installing ${programs.join(" and ")}.`);
  // The packages would start a server each, on the default port, and leave it running. Where somebody has a policy, it stays.
  const mayStart = !existsSync(POLICY);
  // Waits until the policy is gone again: the signal is seen when this function has returned.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  if (mayStart && !forbidStarts()) return false;
  try {
    runAsRoot(["apt-get", "update", "-qq"]);
    const quietly = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    runAsRoot(["apt-get", "install", ...quietly, ...programs.map(packageOf)]);
  } finally {
    if (mayStart) allowStarts();
  }
  return programs.every(isInstalled);
}

function forbidStarts(): boolean {
  if (isRoot()) {
    writeFileSync(POLICY, START_NOTHING, { mode: 0o755 });
    return true;
  }
  return runAsRoot(["tee", POLICY], START_NOTHING) && runAsRoot(["chmod", "755", POLICY]);
}

function allowStarts(): void {
  if (isRoot()) rmSync(POLICY, { force: true });
  else runAsRoot(["rm", "-f", POLICY]);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function runAsRoot(command: readonly string[], input = ""): boolean {
  const [program = "", ...rest] = isRoot()
    ? command
    : ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", ...command];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(program, rest, { input, env, stdio: ["pipe", "ignore", "inherit"] }).status === 0;
}
