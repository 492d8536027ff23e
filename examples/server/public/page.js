/**
 * Sends spikes to the server and draws them with the currents that come back. A column of a picture
 * is COLUMN_SECONDS; only what is new is drawn, the rest moves to the left.
 */
const CHANNELS = 48;
const PIXELS_PER_CHANNEL = 4;
/** Of a message of one source. */
const HEADER_BYTES = 16;
const BACKGROUND = [11, 13, 16];
const COLUMN_SECONDS = 0.005;
/** No more than this is simulated after a pause, e.g. of a hidden tab. */
const MOST_SECONDS = 0.25;
/** Frames on their way; more are not sent, so that a slow line only slows the picture. */
const MOST_PENDING = 8;

const element = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

/** A slider of 0 to 1 as a value between least and most, in equal factors or in equal steps. */
function slider(id, least, most, format, isLogarithmic = true) {
  const input = element(id);
  const value = () =>
    isLogarithmic
      ? least * (most / least) ** Number(input.value)
      : least + (most - least) * Number(input.value) ** 2;
  const show = () => (element(`${id}-value`).textContent = format(value()));
  input.addEventListener('input', show);
  show();
  return { input, value };
}

const milliseconds = (seconds) => `${Number((seconds * 1000).toPrecision(3))} ms`;
const controls = {
  tau: slider('tau', 0.001, 1, milliseconds),
  dt: slider('dt', 0.0002, 0.005, milliseconds),
  noise: slider('noise', 0, 20, (value) => value.toFixed(2), false),
  rate: slider('rate', 0.5, 200, (value) => `${value.toFixed(1)}`),
};

/** Dark to white by way of blue and orange. */
function colour(value) {
  const x = Math.max(0, Math.min(1, value));
  return [
    255 * Math.min(1, 1.6 * x),
    255 * x ** 1.4,
    255 * Math.min(1, 0.25 * Math.sin(6 * x) + x),
  ];
}

/** A picture that moves to the left as columns are added. */
class Strip {
  constructor(id) {
    this.canvas = element(id);
    this.context = this.canvas.getContext('2d', { alpha: false });
    this.context.fillStyle = `rgb(${BACKGROUND.join()})`;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Adds columns; `paint(image, column)` fills column `column` of an image of their width. */
  add(nColumns, paint) {
    const { canvas, context } = this;
    const width = Math.min(nColumns, canvas.width);
    if (width === 0) return;
    context.drawImage(canvas, -width, 0);
    const image = context.createImageData(width, canvas.height);
    for (let column = 0; column < width; column++) {
      paint(image, column, nColumns - width + column);
    }
    context.putImageData(image, canvas.width - width, 0);
  }
}

function fillPixels(image, column, firstRow, nRows, [red, green, blue]) {
  for (let row = firstRow; row < firstRow + nRows; row++) {
    const i = (row * image.width + column) * 4;
    image.data[i] = red;
    image.data[i + 1] = green;
    image.data[i + 2] = blue;
    image.data[i + 3] = 255;
  }
}

const raster = new Strip('raster');
const currents = new Strip('currents');
const trace = new Strip('trace');
let scale = 1;

/** Draws some steps: for each column the sum of its spikes and its last current. */
function draw(spikes, values, steps, dt) {
  const perColumn = Math.max(1, Math.round(COLUMN_SECONDS / dt));
  const nColumns = Math.ceil(steps / perColumn);
  let peak = 0;
  for (const value of values) peak = Math.max(peak, Math.abs(value));
  scale = Math.max(peak, scale * 0.995, 0.01);
  const lastStep = (column) => Math.min(steps, (column + 1) * perColumn) - 1;
  raster.add(nColumns, (image, column, source) => {
    fillPixels(image, column, 0, image.height, BACKGROUND);
    for (let n = 0; n < CHANNELS; n++) {
      let count = 0;
      for (let t = source * perColumn; t <= lastStep(source); t++)
        count += spikes[t * CHANNELS + n];
      if (count > 0) {
        fillPixels(image, column, n * PIXELS_PER_CHANNEL, PIXELS_PER_CHANNEL - 1, [240, 240, 235]);
      }
    }
  });
  currents.add(nColumns, (image, column, source) => {
    for (let n = 0; n < CHANNELS; n++) {
      const value = values[lastStep(source) * CHANNELS + n] / scale;
      fillPixels(image, column, n * PIXELS_PER_CHANNEL, PIXELS_PER_CHANNEL, colour(value));
    }
  });
  trace.add(nColumns, (image, column, source) => {
    const { height } = image;
    const value = values[lastStep(source) * CHANNELS] / scale;
    const zero = Math.round(height * 0.8);
    const top = Math.max(0, Math.min(height - 3, Math.round(zero - value * height * 0.75)));
    fillPixels(image, column, 0, height, BACKGROUND);
    fillPixels(image, column, zero, 1, [60, 66, 76]);
    fillPixels(
      image,
      column,
      Math.min(top, zero),
      Math.max(3, Math.abs(zero - top)),
      [90, 160, 250],
    );
  });
  element('scale').textContent = scale.toPrecision(2);
}

function tell(state, text) {
  element('status').dataset.state = state;
  element('status').textContent = text;
}

/** One connection; resolves when it is over. */
function connect(session) {
  return new Promise((resolve) => {
    const url = new URL('stream', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    url.search = new URLSearchParams({
      token: query.get('token') ?? '',
      ...(session === undefined ? { channels: CHANNELS } : { session }),
    });
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const pending = new Map();
    let sequence = 0;
    let dt = controls.dt.value();
    let isLive = false;
    let last = performance.now();
    let nAnswers = 0;
    let latency = 0;
    let since = last;
    let step = 0;

    const setParameters = () => {
      dt = controls.dt.value();
      const [tau, noiseStd] = [controls.tau.value(), controls.noise.value()];
      if (isLive) socket.send(JSON.stringify({ type: 'set', tau, dt, noiseStd }));
    };
    const sendSpikes = () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      requestAnimationFrame(sendSpikes);
      const now = performance.now();
      const steps = Math.floor(Math.min((now - last) / 1000, MOST_SECONDS) / dt);
      if (pending.size >= MOST_PENDING || steps === 0) return;
      last = now;
      const message = new Uint8Array(HEADER_BYTES + steps * CHANNELS);
      const header = new DataView(message.buffer);
      header.setUint32(0, sequence, true);
      header.setUint32(4, steps, true);
      // One source, number 0.
      header.setUint32(8, 1, true);
      const chance = Math.min(1, controls.rate.value() * dt);
      for (let i = HEADER_BYTES; i < message.length; i++) message[i] = Math.random() < chance;
      pending.set(sequence, { spikes: message.subarray(HEADER_BYTES), dt, sentAt: now });
      sequence = (sequence + 1) % 2 ** 32;
      socket.send(message);
    };
    const receive = (buffer) => {
      const header = new DataView(buffer);
      const [answered, steps] = [header.getUint32(0, true), header.getUint32(4, true)];
      const sent = pending.get(answered);
      if (sent === undefined) return;
      pending.delete(answered);
      draw(sent.spikes, new Float32Array(buffer, HEADER_BYTES), steps, sent.dt);
      step += steps;
      nAnswers++;
      const now = performance.now();
      latency = Math.max(latency, now - sent.sentAt);
      if (now - since < 500) return;
      element('figures').textContent =
        `step ${step.toLocaleString('en')}, ${Math.round((nAnswers * 1000) / (now - since))} ` +
        `frames a second, answered within ${latency.toFixed(1)} ms`;
      [nAnswers, latency, since] = [0, 0, now];
    };

    socket.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string') {
        receive(data);
        return;
      }
      const message = JSON.parse(data);
      if (message.type === 'welcome') {
        session = message.session;
        [step] = message.steps;
        isLive = true;
        tell('live', 'live');
        setParameters();
        last = performance.now();
        sendSpikes();
      } else if (message.type === 'changed') {
        element('status').title =
          `tau ${message.tau} s, dt ${message.dt} s, noise ${message.noiseStd}`;
      } else if (message.type === 'error') {
        tell('lost', message.message);
      }
    });
    for (const { input } of [controls.tau, controls.dt, controls.noise]) {
      input.addEventListener('input', setParameters);
    }
    socket.addEventListener('close', ({ code, reason }) => {
      for (const { input } of [controls.tau, controls.dt, controls.noise]) {
        input.removeEventListener('input', setParameters);
      }
      tell('lost', `connection closed (${reason || code}); trying again`);
      resolve({ session, wasLive: isLive });
    });
  });
}

/** Comes back to the same session, with pauses that grow while the server is away. */
async function stay() {
  let session;
  let pause = 250;
  for (;;) {
    const ended = await connect(session);
    // A session that the server does not know any more is replaced by a new one.
    session = ended.wasLive || pause < 2000 ? ended.session : undefined;
    pause = ended.wasLive ? 250 : Math.min(8000, pause * 2);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

void stay();
