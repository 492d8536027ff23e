/** Tables of events as text, as spreadsheets, simulators and libraries write them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

import { isCommandError } from '../support/command-errors';
import { emptyFolders } from '../support/folders';
import { EVENTS, IDS, readEventsOf, TIMES } from '../support/recordings';

interface Style {
  header?: string;
  separator?: string;
  end?: string;
  /** Units of the times in a second. */
  scale?: number;
  time?: (time: number) => string;
  id?: (id: number) => string;
  /** Before and after the two fields of a row. */
  around?: (row: string, index: number) => string;
}

function table(style: Style = {}): string {
  const { header = 'time,channel', separator = ',', end = '\n', scale = 1 } = style;
  const { time = (seconds: number) => String(Number(seconds.toPrecision(12))) } = style;
  const { id = String, around = (row: string) => row } = style;
  const rows = TIMES.map((seconds, index) =>
    around(`${time(seconds * scale)}${separator}${id(IDS[index] ?? 0)}`, index),
  );
  return [...(header === '' ? [] : [header]), ...rows, ''].join(end);
}

const comma = (time: number): string => String(Number(time.toPrecision(12))).replace('.', ',');
const quoted = (value: number): string => `"${value}"`;

describe('tables of events as text', () => {
  emptyFolders();

  const TABLES: [what: string, text: string | Buffer, options?: object][] = [
    ['commas', table()],
    ['a byte order mark', `\ufeff${table({ header: '"time","channel"' })}`],
    ['ends of lines of Windows', table({ end: '\r\n' })],
    ['ends of lines of old Macs', table({ end: '\r' })],
    ['semicolons', table({ header: 'time;channel', separator: ';' })],
    ['decimal commas', table({ header: 'time;channel', separator: ';', time: comma })],
    [
      'decimal commas between tabs',
      table({ header: 'time\tchannel', separator: '\t', time: comma }),
    ],
    ['decimal commas in quotes', table({ time: (time) => `"${comma(time)}"` })],
    ['decimal commas without names', table({ header: '', separator: ';', time: comma }), asList()],
    ['quotes', table({ header: '"time","channel"', time: quoted, id: quoted })],
    ['quotes after blanks', table({ header: '"time", "channel"', separator: ', ', id: quoted })],
    ['single quotes around names', table({ header: "'time','channel'" })],
    [
      'quotes, separators and ends of lines in quotes',
      table({ header: 'note,time,channel', around: (row) => `"a, ""b""\nc",${row}` }),
    ],
    ['a separator in a name', table({ header: '"Time, ms",channel', scale: 1000 })],
    ['an end of a line in a name', table({ header: '"time\n(ms)",channel', scale: 1000 })],
    ['blanks around fields', table({ header: ' time ,  channel ', separator: ' , ' })],
    ['blanks', table({ header: 'time channel', separator: ' ' })],
    [
      'several blanks',
      table({ header: '  time   channel', separator: '   ', around: (r) => `  ${r} ` }),
    ],
    ['bars', table({ header: 'time|channel', separator: '|' })],
    ['no names, between blanks', table({ header: '', separator: ' ' }), asList()],
    ['no names, between tabs', table({ header: '', separator: '\t' }), asList()],
    ['names in a comment', table({ header: '# time,channel' })],
    ['names in a comment, otherwise separated', table({ header: '# t, unit', separator: ' ' })],
    [
      'names with units in a comment',
      table({ header: '# time (ms) channel', separator: ' ', scale: 1000 }),
    ],
    ['names in the last of two comments', `# made by time, channel\n${table({ header: '#t,i' })}`],
    ['names below comments', `% made by x\n\n# a, b\n${table()}`],
    ['a comment between rows', table({ around: (row, k) => (k === 1 ? `# x\n${row}` : row) })],
    ['a separator for spreadsheets', `sep=;\n${table({ header: 'time;unit', separator: ';' })}`],
    ['the index of pandas', table({ header: ',time,channel', around: (row, k) => `${k},${row}` })],
    [
      'the index of pandas between tabs',
      table({ header: '\ttime\tchannel', separator: '\t', around: (row, k) => `${k}\t${row}` }),
    ],
    [
      'the names of rows of R',
      table({ header: '"time" "unit"', separator: ' ', around: (row, k) => `"${k + 1}" ${row}` }),
    ],
    ['powers of ten', table({ time: (time) => time.toExponential(6).toUpperCase() })],
    ['signs', table({ time: (time) => `+${time}` })],
    ['ids as floats', table({ id: (id) => id.toExponential(18) })],
    ['delimiters at the end', table({ header: 'time,channel,', around: (row) => `${row},` })],
    ['delimiters at the end of rows', table({ around: (row) => `${row},` })],
    ['empty rows', `${table()}\n  \n,\n,\n`],
    ['no end of the last line', table().trimEnd()],
    ['UTF-16', Buffer.from(`\ufeff${table()}`, 'utf16le')],
    ['Latin-1', Buffer.from(table({ header: 'time (\xb5s),channel', scale: 1e6 }), 'latin1')],
    ['a long comment', `# ${'x'.repeat(6000)}\n${table()}`],
    [
      'many columns',
      table({ header: `${'x,'.repeat(3000)}time,unit`, around: (r) => `${'0,'.repeat(3000)}${r}` }),
    ],
    [
      'the output of NEST',
      table({
        header: '# NEST version: 3.6.0\n# RecordingBackendASCII version: 2\ntime_ms\tsender',
        separator: '\t',
        scale: 1000,
        time: (time) => time.toFixed(3),
      }),
    ],
    [
      'the segments of SpikeInterface, of which there is one',
      table({
        header: 'sample_index,unit_index,segment_index',
        scale: 30000,
        time: (time) => time.toFixed(0),
        around: (row) => `${row},0`,
      }),
      { timeUnit: 1 / 30000 },
    ],
    ['two columns that are chosen', table({ header: 'a,b' }), { ...asList(), member: 'a,b' }],
    [
      'columns that are chosen by numbers',
      table({ header: '', around: (row) => `7,${row}` }),
      { ...asList(), member: '2,3' },
    ],
    [
      'a name of channels that is chosen of two',
      table({ header: 'time,unit,channel', around: (row) => `${row},1` }),
      { member: 'time,unit' },
    ],
  ];
  for (const [what, text, options] of TABLES) {
    it(`may have ${what}`, async () => {
      await writeFile('spikes.csv', text);
      const { format, events } = await readEventsOf('spikes.csv', { ...options });
      assert.equal(events, EVENTS);
      assert.equal(format, 'text');
    });
  }

  const TIME_NAMES: [scale: number, ...names: string[]][] = [
    [1, 't', 'ts', 'Times', 'timestamp', 'TimeStamps', 'spike_times', 'spikeTimes', 'event_time'],
    [1, 'time (s)', 'time_sec', 'timestamp_seconds', 'Time [Seconds]', 't_s', 'peak_time'],
    [1e3, 't [ms]', 'time(ms)', 'timeMs', 'time/ms', 'time_in_ms', 'times_msec', 'time  (ms)'],
    [1e3, 'spike_time_ms', 'time.ms', 'time:ms', 'timestamp-ms', 'time_milliseconds'],
    [1e6, 'timestamp_us', 'timestamp [\u00b5s]', 'timestamp [\u03bcs]', 'time_usec'],
    [1e9, 'time_ns', 'time_nanoseconds'],
  ];
  for (const [scale, ...names] of TIME_NAMES) {
    it(`tell the unit of the times by their names: ${names.join(' ')}`, async () => {
      for (const name of names) {
        await writeFile('spikes.csv', table({ header: `"${name}",channel`, scale }));
        assert.equal((await readEventsOf('spikes.csv')).events, EVENTS, name);
      }
    });
  }

  it('have names of channels that tools give', async () => {
    for (const name of [
      ...['sender', 'senders', 'gid', 'node_ids', 'i', 'unit', 'unit_id', 'unitId', 'units'],
      ...['cluster_id', 'spike_clusters', 'neuron', 'Neuron ID', 'neuronId', 'cell', 'channel'],
      ...['ch', 'channel_index', 'electrode', 'label', 'id', 'addr', 'template', 'NeuronIDs'],
    ]) {
      await writeFile('spikes.csv', table({ header: `time,${name}` }));
      assert.equal((await readEventsOf('spikes.csv')).events, EVENTS, name);
    }
  });

  it('are recognised by their names, whatever the file is called', async () => {
    for (const name of ['spikes.dat', 'spikes', 'spikes.log']) {
      await writeFile(name, table());
      assert.equal((await readEventsOf(name)).events, EVENTS, name);
    }
  });

  it('may be those of an event camera', async () => {
    await writeFile('events.txt', 't x y p\n500 1 0 1\n10200 0 1 0\n10300 2 1 1\n');
    const { events, shape } = await readEventsOf('events.txt', { timeUnit: 1e-6 });
    assert.equal(events, '0:7 10:3 10:11');
    assert.deepEqual(shape, [1, 11, 12]);
  });

  it('are read in parts, whatever lies between them', async () => {
    const rows = Array.from({ length: 40_000 }, (_, k) => `${k / 1000},"${k % 3}"`);
    for (const end of ['\r\n', '\r', '\n']) {
      await writeFile('long.csv', ['time,unit', ...rows, ''].join(end));
      const { events, shape } = await readEventsOf('long.csv');
      assert.deepEqual(shape, [1, 40_000, 3]);
      assert.ok(events.endsWith('39998:2 39999:0'));
    }
  });

  it('have times that no double holds', async () => {
    const start = 1_700_000_000_000_000_001n;
    const times = [0n, 10n, 25n].map((time) => start + time);
    await writeFile('spikes.csv', ['time_ns,unit', ...times.map((t) => `${t},7`), ''].join('\n'));
    const options = { dt: 1e-8, start: '1700000000000000001/1000000000' };
    const { events } = await readEventsOf('spikes.csv', options);
    assert.equal(events, '0:7 1:7 2:7');
    await writeFile('spikes.csv', `time_ns,unit\n${start},7\n0.5,7\n`);
    await assert.rejects(
      readEventsOf('spikes.csv', options),
      isCommandError(/^Expected times from 1700000000 s on/),
    );
  });

  it('have ids of any size, which are numbered', async () => {
    await writeFile('spikes.csv', table({ id: (id) => String(id + 2 ** 40) }));
    const { events, shape } = await readEventsOf('spikes.csv');
    assert.equal(events.split(' ')[0], `0:${2 ** 40 + 4}`);
    assert.deepEqual(shape, [1, 11, 3]);
  });

  const COLUMNS = 'Expected columns named time and channel';
  const REFUSED: [what: string, text: string | Buffer, RegExp, options?: object][] = [
    ['no number', `${table()}nan,4\n`, /a time and a channel in line 6 of .* received 'nan,4'\.$/],
    ['no number', `${table()},4\n`, /line 6 .* received ',4'\.$/],
    ['an infinity', `${table()}inf,4\n`, /line 6 .* received 'inf,4'\.$/],
    ['a number of base 16', `${table()}0x10,4\n`, /line 6 .* received '0x10,4'\.$/],
    ['a missing id', `${table()}0.01,NA\n`, /line 6 .* received '0.01,NA'\.$/],
    ['a row that is too short', `${table()}0.01\n`, /line 6 .* received '0.01'\.$/],
    ['decimal commas between commas', table({ time: comma }), /line 2 .* received '0,0005,4'\.$/],
    ['points and commas', 'time;unit\n1.5;1\n2,5;1\n', /line 3 .* received '2,5;1'\.$/],
    ['thousands', 'time,unit\n"1,000.5",4\n', /line 2 .* received '"1,000.5",4'\.$/],
    ['a quote that is not closed', `${table()}"0.01,4\n`, /line 7 .* received '"0.01,4/],
    ['names for ids', table({ id: (id) => `n${id}` }), /'0.0005,n4'; give each name a number/],
    ['parts of ids', table({ id: (id) => `${id}.5` }), /ids of units that are whole .* is 4\.5\.$/],
    ['negative ids', table({ id: (id) => String(id - 5) }), /that of event 0 is -1\.$/],
    ['ids beyond 2^53', table({ id: (id) => String(id + 2 ** 60) }), /event 0 is 1152921504606847/],
    [
      'two columns of times',
      'time,time_ms,unit\n0.1,100,1\n',
      /^Expected one of the columns of times in .* but received 'time', 'time_ms'; give --member TIMES,CHANNELS with the names of two\.$/,
    ],
    [
      'two columns of channels',
      'time,unit,channel\n0.1,1,2\n',
      /^Expected one of the columns of channels in .* but received 'unit', 'channel'; give /,
    ],
    [
      'times of any unit',
      'time,channel\n1,4\n3,9\n',
      /^Expected the unit of the whole numbers in 'time' of .* give --time-unit, such as 1us, or 30kHz/,
    ],
    ['other names', 'a,b\n0.1,1\n', new RegExp(`^${COLUMNS}.* 'a', 'b'; give --member`), asList()],
    [
      'a name that is not there',
      table(),
      /^Expected two of the columns 'time', 'channel' of .* for --member but received 'unit'\.$/,
      { member: 'time,unit' },
    ],
    [
      'several columns without names',
      '0.5 1 2 0\n',
      /^Expected two columns, or names .* but received 4 columns without names\.$/,
      asList(),
    ],
    [
      'several segments',
      'sample_index,unit_index,segment_index\n1,1,0\n2,1,1\n',
      /^Expected one of the populations '0', '1' of .* for --population but received none\.$/,
      { timeUnit: 1e-3 },
    ],
    ['packed bytes', gzipSync(table()), /packed by gzip; gunzip spikes\.csv unpacks it/, asList()],
    ['a web page', '<html>a b\n', /^Expected a \.npy file.* a web page/, asList()],
    ['no events', 'time,channel\n', /^Expected events in spikes\.csv but received none/],
  ];
  for (const [what, text, message, options] of REFUSED) {
    it(`must not have ${what}`, async () => {
      await writeFile('spikes.csv', text);
      await assert.rejects(readEventsOf('spikes.csv', { ...options }), isCommandError(message));
    });
  }

  it('may have one population chosen', async () => {
    await writeFile('spikes.csv', 'sample_index,unit,segment_index\n1,1,0\n2,1,1\n');
    const { events } = await readEventsOf('spikes.csv', { timeUnit: 1e-3, population: '1' });
    assert.equal(events, '2:1');
  });
});

/** The user says that it is a list of events. */
function asList(): { isEventList: true } {
  return { isEventList: true };
}
