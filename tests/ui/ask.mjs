// Asks the page as a program in JavaScript does: node ask.mjs ADDRESS IMAGE, run where the client is.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const from = createRequire(pathToFileURL(`${process.cwd()}/`));
const { Client } = await import(pathToFileURL(from.resolve("@gradio/client")));
const [address, image] = process.argv.slice(2);
const client = await Client.connect(address);
const file = new Blob([await readFile(image)]);
const answer = (await client.predict("/predict", { image: file, run: "forgets", stage: "3" })).data[0];
const overlay = (await client.predict("/overlay", { image: file })).data[0];
const drawn = (await fetch(overlay.url)).headers.get("content-type");
const refused = await client.predict("/predict", { image: file, stage: "last" }).catch((e) => e.message);
const matrix = (await client.predict("/matrix", {})).data[0];
console.log(JSON.stringify({ answer, drawn, refused, matrix }));
process.exit(0);
