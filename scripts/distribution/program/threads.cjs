/** The package in the main thread and in worker threads at once, then in the processes of a cluster. */
const assert = require('node:assert/strict');
const cluster = require('node:cluster');
const { once } = require('node:events');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');

const check = require('./check.cjs');

const WORKERS = 3;

const checkHere = () => check(require('expsyn'), require('expsyn/streams'));

async function startThread() {
  const worker = new Worker(__filename);
  // Before it has sent its message, or it might be over by then.
  const exit = once(worker, 'exit');
  const [line] = await once(worker, 'message');
  const [code] = await exit;
  assert.equal(code, 0);
  return line;
}

async function startProcess() {
  const worker = cluster.fork();
  const exit = once(worker, 'exit');
  const [line] = await once(worker, 'message');
  worker.disconnect();
  const [code] = await exit;
  assert.equal(code, 0);
  return line;
}

async function main() {
  const start = (startOne) => Array.from({ length: WORKERS }, () => startOne());
  const lines = [
    ...(await Promise.all([checkHere(), ...start(startThread)])),
    ...(await Promise.all(start(startProcess))),
  ];
  assert.equal(new Set(lines).size, 1);
  console.log(`${lines[0]}, in ${WORKERS} worker threads and ${WORKERS} processes of a cluster`);
}

if (cluster.isWorker) checkHere().then((line) => process.send(line));
else if (isMainThread) main();
else checkHere().then((line) => parentPort.postMessage(line));
