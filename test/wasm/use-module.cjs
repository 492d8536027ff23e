// Makes the tests of the package use the WebAssembly module in place of the addon: mocha --require this file.
const { Module } = require('node:module');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const file = path.join(root, 'build', 'Release', 'expsyn.node');
const standIn = new Module(file);
standIn.filename = file;
standIn.loaded = true;
standIn.exports = require(path.join(root, 'prebuilds', 'wasm', 'addon.cjs'));
require.cache[file] = standIn;
