/** Gives a child process of Node what Electron gives to a utility process: `process.parentPort`. */
const { EventEmitter } = require('node:events');

const { isMainThread } = require('node:worker_threads');

class Port extends EventEmitter {
  #number;
  #early = [];
  #isStarted = false;
  constructor(number) {
    super();
    this.#number = number;
  }
  start() {
    this.#isStarted = true;
    for (const data of this.#early.splice(0)) this.emit('message', { data, ports: [] });
  }
  deliver(data) {
    if (this.#isStarted) this.emit('message', { data, ports: [] });
    else this.#early.push(data);
  }
  postMessage(data) {
    if (process.connected) process.send({ port: this.#number, data });
  }
  close() {
    if (process.connected) process.send({ port: this.#number, isClosed: true });
  }
}

// A worker thread inherits this file, but Electron gives it no parentPort.
if (isMainThread) {
  const ports = new Map();
  const early = [];
  const parentPort = new EventEmitter();
  process.parentPort = parentPort;
  // As in Electron, messages wait for the first listener.
  parentPort.on('newListener', () => {
    setImmediate(() => early.splice(0).forEach((event) => parentPort.emit('message', event)));
  });
  process.on('message', ({ message, ports: numbers, port, data, isClosed }) => {
    if (isClosed) {
      ports.get(port).emit('close');
    } else if (numbers === undefined) {
      ports.get(port).deliver(data);
    } else {
      for (const number of numbers) ports.set(number, new Port(number));
      const event = { data: message, ports: numbers.map((number) => ports.get(number)) };
      if (parentPort.listenerCount('message') > 0) parentPort.emit('message', event);
      else early.push(event);
    }
  });
}
