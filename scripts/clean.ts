import { rmSync } from "node:fs";

// What was compiled from a file that is gone would otherwise be published for ever.
rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
