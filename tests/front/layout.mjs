/**
 * Arranges views for `test_front.py`.
 *
 * node layout.mjs FOLDER-OF-THE-FRONT-END < spaces.json > arrangements.json
 */
import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const { arrange } = await load("layout.js");
const spaces = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(spaces.map(arrange)));
