// Runs a WASI program in V8, the engine that Envoy has. usage: node wasm.mjs PROGRAM.wasm ARGUMENT…
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [path, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["codec-bench", ...args], returnOnExit: true });
const module = await WebAssembly.compile(await readFile(path));
const imports = wasi.getImportObject();
// The crate's filter comes along; nobody calls it.
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  imports[from] ??= {};
  imports[from][name] ??= () => { throw new Error(`${from}.${name} is the gateway's`); };
}
const { memory, _start } = (await WebAssembly.instantiate(module, imports)).exports;
process.exitCode = wasi.start({ exports: { memory, _start } });
