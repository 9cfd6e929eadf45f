// Compiles the contracts of this folder with the solc of a given node_modules, one JSON file for each contract that is
// deployed. A warning about our own lines is a failure; those about OpenZeppelin's are OpenZeppelin's to mend. Called by
// hatch_build.py:  node compile.mjs <node_modules> <output folder>
// and by tools/trial.py, for tests only, with words more:  node compile.mjs <node_modules> <output folder> plain [<contract>]

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const CONTRACTS = ["DaiseeCoin", "EnergyExchange"];
const SETTINGS = {
  // Clique chains know neither PUSH0 nor MCOPY. Ours stop at Berlin, which runs this too: London adds BASEFEE only, which
  // no contract of ours asks for.
  evmVersion: "london",
  // A contract is deployed once and reported to every few minutes for years: calls are to be cheap, not the deployment.
  optimizer: { enabled: true, runs: 10_000 },
  // Saves 1.5 % of a report and of a draw, 2 % of a purchase, and a sixth of the code.
  viaIR: true,
};

// The same sources, compiled in a third of the time, and so that each branch of the source is one branch of the code: nothing
// is inlined, and no two blocks are made one. Without any optimizing the exchange would be larger than a contract may be.
const PLAIN = {
  ...SETTINGS,
  optimizer: { enabled: true, runs: 1, details: { inliner: false, deduplicate: false, yul: true } },
  viaIR: false,
};

const [modules, output] = process.argv.slice(2, 4).map((folder) => resolve(folder));
const plain = process.argv[4] === "plain";
const settings = plain ? PLAIN : SETTINGS;
const contracts = process.argv.length > 5 ? process.argv.slice(5) : CONTRACTS;
const solc = createRequire(join(modules, "compile.mjs"))("solc");

function read(file) {
  for (const folder of [import.meta.dirname, modules]) {
    const path = join(folder, file);
    if (existsSync(path)) return { contents: readFileSync(path, "utf8") };
  }
  return { error: `there is no ${file} here or in node_modules` };
}

const sources = Object.fromEntries(contracts.map((name) => [`${name}.sol`, { content: read(`${name}.sol`).contents }]));
const selection = {
  "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences", "storageLayout"],
};
if (plain) {
  selection["*"].push("evm.bytecode.sourceMap", "evm.deployedBytecode.sourceMap");
  selection[""] = ["ast"];
}
const input = { language: "Solidity", sources, settings: { ...settings, outputSelection: { "*": selection } } };
const compiled = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));

const isOurs = (complaint) => !plain && !complaint.sourceLocation?.file.startsWith("@");
const complaints = (compiled.errors ?? []).filter((complaint) => complaint.severity === "error" || isOurs(complaint));
if (complaints.length > 0) {
  for (const complaint of complaints) console.error(complaint.formattedMessage);
  process.exit(1);
}

mkdirSync(output, { recursive: true });
for (const name of contracts) {
  const { abi, evm, storageLayout } = compiled.contracts[`${name}.sol`][name];
  const artifact = {
    contractName: name,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    // What lies on the chain afterwards, with zeros where the constructor writes what never changes.
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    immutableReferences: evm.deployedBytecode.immutableReferences,
    storageLayout,
    metadata: { compiler: `solc ${solc.version()}`, settings },
  };
  writeFileSync(join(output, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
}

// Where each instruction comes from, for who wants to know which branches were taken.
if (plain) {
  const { sources: trees } = compiled;
  const codes = contracts.map((name) => [name, compiled.contracts[`${name}.sol`][name].evm]);
  writeFileSync(join(output, "origins.json"), JSON.stringify({ trees, codes: Object.fromEntries(codes) }));
}
