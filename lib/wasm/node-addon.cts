// The module as an addon of Node, for systems that the package has no binary for.
import { readFileSync } from 'node:fs';
import path = require('node:path');

import { start } from './module';

export = start(new WebAssembly.Module(readFileSync(path.join(__dirname, 'expsyn.wasm'))));
