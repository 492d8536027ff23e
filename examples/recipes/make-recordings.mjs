// Writes the same spikes of three units in the formats of several laboratories, into the current folder.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

import { writeNpy } from 'expsyn/files';
import hdf5 from 'h5wasm/node';

const UNITS = [3, 7, 12];
const SECONDS = 2;

// Unit u fires every 20, 27 or 34 ms, in the middle of a millisecond, which every format here holds exactly.
const spikes = UNITS.flatMap((id, u) =>
  Array.from({ length: Math.floor((SECONDS * 1000) / (20 + 7 * u)) }, (_, k) => ({
    id,
    halfMilliseconds: 2 * (20 + 7 * u) * k + 1,
  })),
).sort((a, b) => a.halfMilliseconds - b.halfMilliseconds || a.id - b.id);
const ids = spikes.map(({ id }) => id);
const seconds = spikes.map(({ halfMilliseconds }) => halfMilliseconds / 2000);
const list = (numbers, TypedArray) => ({ data: TypedArray.from(numbers), shape: [numbers.length] });

/** phy and Kilosort: numbers of samples at 30 kHz, a cluster for each, and what the curator thinks of them. */
async function writePhy() {
  mkdirSync('sorted', { recursive: true });
  const samples = spikes.map(({ halfMilliseconds }) => BigInt(halfMilliseconds * 15));
  await writeNpy('sorted/spike_times.npy', list(samples, BigUint64Array));
  await writeNpy('sorted/spike_clusters.npy', list(ids, Int32Array));
  writeFileSync('sorted/params.py', "dat_path = 'recording.dat'\nsample_rate = 30000.\n");
  writeFileSync('sorted/cluster_group.tsv', 'cluster_id\tgroup\n3\tgood\n7\tmua\n12\tgood\n');
}

/** NWB: the times of each unit after those of the one before, and where each unit ends. */
function writeNwb() {
  const file = new hdf5.File('session.nwb', 'w');
  const units = file.create_group('units');
  const timesOf = UNITS.map((unit) => seconds.filter((_, k) => ids[k] === unit));
  let end = 0;
  const ends = timesOf.map((times) => (end += times.length));
  units.create_dataset({ name: 'spike_times', data: Float64Array.from(timesOf.flat()) });
  units.create_dataset({ name: 'spike_times_index', data: Int32Array.from(ends) });
  units.create_dataset({ name: 'id', data: Int32Array.from(UNITS) });
  file.close();
}

/** SONATA: the output of a simulation, with the population and the unit of the times. */
function writeSonata() {
  const file = new hdf5.File('network.h5', 'w');
  const population = file.create_group('spikes').create_group('cortex');
  const times = seconds.map((time) => time * 1000);
  population.create_dataset({ name: 'timestamps', data: Float64Array.from(times) });
  population.get('timestamps').create_attribute('units', 'ms');
  population.create_dataset({ name: 'node_ids', data: Int32Array.from(ids) });
  file.close();
}

/** HDF5 with a dataset of times for each unit. */
function writeUnits() {
  const file = new hdf5.File('units.h5', 'w');
  for (const unit of UNITS) {
    const times = seconds.filter((_, k) => ids[k] === unit);
    file.create_dataset({ name: `unit_${unit}`, data: Float64Array.from(times) });
  }
  file.close();
}

/** MATLAB 7.3: HDF5 whose datasets are marked with the class of the variable. */
function writeMatlab() {
  const file = new hdf5.File('spikes.mat', 'w');
  for (const [name, numbers] of [
    ['spike_times', seconds],
    ['clusters', ids],
  ]) {
    const shape = [1, numbers.length];
    file.create_dataset({ name, data: Float64Array.from(numbers), shape });
    file.get(name).create_attribute('MATLAB_class', 'double');
  }
  file.close();
}

/** A structured array of NumPy: microseconds as 64-bit integers beside the numbers of channels. */
function writeStructured() {
  const fields = "[('t', '<i8'), ('channel', '<u2')]";
  const dict = `{'descr': ${fields}, 'fortran_order': False, 'shape': (${spikes.length},), }`;
  const header = `${dict.padEnd(118 - 1)}\n`;
  const bytes = Buffer.alloc(10 + header.length + 10 * spikes.length);
  bytes.write('\x93NUMPY\x01\x00', 'latin1');
  bytes.writeUInt16LE(header.length, 8);
  bytes.write(header, 10, 'latin1');
  spikes.forEach(({ id, halfMilliseconds }, k) => {
    const at = 10 + header.length + 10 * k;
    bytes.writeBigInt64LE(BigInt(halfMilliseconds * 500), at);
    bytes.writeUInt16LE(id, at + 8);
  });
  writeFileSync('camera.npy', bytes);
}

/** An archive of NumPy, which is a ZIP archive of .npy files; here they are not compressed. */
async function writeNpz() {
  await writeNpy('times.npy', list(seconds, Float64Array));
  await writeNpy('units.npy', list(ids, Int32Array));
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const name of ['times.npy', 'units.npy']) {
    const content = readFileSync(name);
    // Version, flags, method, time, date, checksum, sizes, length of the name, no extra field.
    const about = Buffer.alloc(26);
    about.writeUInt16LE(20, 0);
    about.writeUInt32LE(crc32(content), 10);
    about.writeUInt32LE(content.length, 14);
    about.writeUInt32LE(content.length, 18);
    about.writeUInt16LE(name.length, 22);
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), about, Buffer.from(name), content]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const version = Buffer.from([20, 0]);
    directory.push(Buffer.from('PK\x01\x02'), version, about, place, Buffer.from(name));
    parts.push(entry);
    offset += entry.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(2, 4);
  end.writeUInt16LE(2, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  writeFileSync(
    'spikes.npz',
    Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end]),
  );
}

/** A table with names of columns, as spreadsheets and other programs save it. */
function writeTable() {
  const rows = spikes.map(({ id }, k) => `${(seconds[k] * 1000).toFixed(1)};${id}`);
  writeFileSync('table.csv', ['time_ms;unit_id', ...rows, ''].join('\r\n'));
}

await hdf5.ready;
await writePhy();
writeNwb();
writeSonata();
writeUnits();
writeMatlab();
writeStructured();
await writeNpz();
writeTable();
console.log(`${spikes.length} spikes of units ${UNITS.join(', ')} in ${SECONDS} s`);
