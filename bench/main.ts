/** `npm run bench`: measures the cases beside their peers, and prints a table. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

import { Command, InvalidArgumentError } from 'commander';

import { native } from '../lib/native/native';
import type { BenchCase, Figure } from './bench-case';
import { cases } from './cases';
import { judge, measure, type Goal, type Measured, type Verdict } from './measure';
import { Python } from './peers/python';

interface Result {
  group: string;
  name: string;
  measured: Measured[];
  verdicts: Verdict[];
  figure?: Figure;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError('Expected a whole number of at least 1.');
  }
  return value;
}

const nameOf = ({ group, name }: BenchCase): string => `${group}: ${name}`;

const command = new Command('npm run bench --')
  .description('Measures expsyn beside its peers. Each goal is a ratio of times in one run.')
  .option('--only <text>', 'only the cases whose group and name contain the text')
  .option('--list', 'print the names of the cases and measure nothing')
  .option('--rounds <count>', 'runs of every contender, in turn', count, 9)
  .option('--json <file>', 'write every measurement here')
  .option('--markdown <file>', 'write the table here');

function describeGoal(goal: Goal): string {
  if ('spread' in goal) return `within ${goal.spread}`;
  return 'atMost' in goal ? `<= ${goal.atMost}` : `>= ${goal.timesFaster} times faster`;
}

const time = (nanoseconds: number): string => nanoseconds.toPrecision(3);

function rowsOf({ name, measured, verdicts, figure }: Result): string[] {
  const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;
  if (figure !== undefined)
    return [row(name, '', '', figure.text, '', figure.isMet ? 'yes' : 'no')];
  const [ours] = measured;
  if (ours === undefined) return [];
  const [low, high] = ours.quartiles;
  const own = `${time(ours.median)} (${time(low)} to ${time(high)})`;
  const rows = verdicts.map(({ goal, ratio, isMet }) => {
    const peer = 'against' in goal ? measured.find((one) => one.name === goal.against) : undefined;
    const against = peer === undefined ? '' : `${peer.name} ${time(peer.median)}`;
    return row(name, own, against, ratio.toPrecision(3), describeGoal(goal), isMet ? 'yes' : 'no');
  });
  const judged = verdicts.map(({ goal }) => ('against' in goal ? goal.against : ''));
  for (const peer of measured.slice(1)) {
    if (judged.includes(peer.name) || judged.includes('')) continue;
    const ratio = ours.median / peer.median;
    rows.push(row(name, own, `${peer.name} ${time(peer.median)}`, ratio.toPrecision(3), '', ''));
  }
  return rows;
}

function tableOf(results: readonly Result[]): string {
  const lines: string[] = [];
  for (const group of new Set(results.map((result) => result.group))) {
    lines.push('', `### ${group[0]?.toUpperCase() ?? ''}${group.slice(1)}`, '');
    lines.push('| case | expsyn, ns (quartiles) | peer, ns | ratio | goal | met |');
    lines.push('|---|---|---|---|---|---|');
    for (const result of results) {
      if (result.group === group) lines.push(...rowsOf(result));
    }
  }
  return lines.join('\n');
}

async function run(entry: BenchCase, python: Python, rounds: number): Promise<Result> {
  const { group, name } = entry;
  if ('figure' in entry) {
    return { group, name, measured: [], verdicts: [], figure: await entry.figure() };
  }
  const { samples, goals } = entry;
  const measured = await measure(await entry.contenders(python), samples, rounds);
  const verdicts = goals.map((goal) => judge(goal, measured));
  return { group, name, measured, verdicts: verdicts.filter((verdict) => verdict !== undefined) };
}

async function main(): Promise<void> {
  command.parse();
  const { only, list, rounds, json, markdown } = command.opts<{
    only?: string;
    list?: true;
    rounds: number;
    json?: string;
    markdown?: string;
  }>();
  const chosen = cases.filter((entry) => only === undefined || nameOf(entry).includes(only));
  if (list === true) {
    for (const entry of chosen) console.log(nameOf(entry));
    return;
  }
  const python = await Python.start();
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    instructionSet: native.instructionSet(),
    node: process.version,
    ...(python.versions ?? {}),
  };
  console.log(
    Object.entries(machine)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', '),
  );
  if (python.versions === undefined) {
    console.log('skipped: reference, fftconvolve, oaconvolve, lfilter, randn (no NumPy and SciPy)');
  }
  const results: Result[] = [];
  let group = '';
  for (const entry of chosen) {
    if (entry.group !== group) console.log(`\n${entry.group}`);
    group = entry.group;
    const result = await run(entry, python, rounds);
    results.push(result);
    for (const row of rowsOf(result)) console.log(row);
  }
  python.stop();
  const verdicts = results.flatMap(({ figure, verdicts }): { isMet: boolean }[] =>
    figure === undefined ? verdicts : [figure],
  );
  const met = verdicts.filter(({ isMet }) => isMet).length;
  console.log(`\n${met} of ${verdicts.length} goals met`);
  if (json !== undefined) writeFileSync(json, JSON.stringify({ machine, results }, undefined, 1));
  if (markdown !== undefined) writeFileSync(markdown, `${tableOf(results)}\n`);
}

void main();
