/** `expsyn run`: computes the synaptic currents of a raster, and draws them. */
import { Option, type Command } from 'commander';

import { REDUCTIONS } from '../../arrays/kept-steps';
import { compressions, inputFormats, outputEndings } from '../../formats/registry';
import { addAddressOptions, addForbiddenOption } from '../options/address-options';
import { DEFAULT_OUT } from '../run/prepare';
import { run } from '../run/run';
import {
  addSelectionOptions,
  outsideOption,
  readFlags,
  type RunFlags,
} from '../options/run-options';
import { describeKernels } from '../options/kernel-option';
import { addSynapseOptions } from '../options/synapse-options';
import type { CommandContext } from '../context/command-context';

const DESCRIPTION = `Computes the synaptic currents of a raster of spikes, and draws them.

The current of a channel is a sum over its spikes: each adds the kernel at the
time t since the spike, which is
${describeKernels()}
Without an input, an example is computed: 48 channels, 10 s, tau 5 to 100 ms.`;

const examples = (): string => `
Other commands; each of them has its own --help:
  expsyn info      shows what a file holds, and how it was made
  expsyn plot      draws a raster, currents, or a part of either
  expsyn bench     measures how fast this machine computes
  expsyn worker    computes shards of runs from a queue

The input is one of
${describeInputs()}
The currents have shape (B, T, N). Input and output may be larger than memory. An output appears under
its name when it is complete, and replaces what was there. If a run was interrupted, by Ctrl-C or a
crash, --resume continues it, and it writes the same bytes.

Times may have a unit: s, ms, us or ns. Without a unit, they are in seconds. They may be fractions, such
as 1/30000. --dt and --time-unit also take rates, such as 30kHz.

Examples:
  expsyn
      the example: output/raster.npy, output/isyn.npy and output/expsyn.svg
  expsyn run raster.npy --tau 20ms --out isyn.npy
      the currents of your own raster, and a picture of them beside isyn.npy
  expsyn run raster.npy --tau 5ms,20ms,100ms --dt 0.5ms --no-plot
      three channels, each with its own tau; steps of 0.5 ms, no picture
  expsyn run raster.npy --kernel double-exp --tau-rise 2ms --tau-decay 20ms
      another kernel, which rises before it decays
  expsyn run raster.npy --kernel response.npy --out response-currents.npy
      the kernel is the array in a file
  expsyn run raster.npy --noise-std 0.1 --noise state --seed 7
      currents with noise, the same in every run
  expsyn run raster.npy --start 10s --duration 2s --channels 0-15,40
      two seconds of 17 channels
  expsyn run events.npy --events --dt 0.5ms --window-taus Infinity --dtype float32
      spikes as a list of events, kernels that are not cut, single precision
  expsyn run huge.npy --out huge.zarr --compression zstd --resume
      starts, or continues where the last attempt ended
  expsyn run other.npy --like isyn.npy --out other-isyn.npy
      another raster, with the options of an earlier run
  zcat raster.npy.gz | expsyn run - --out - > isyn.npy
      from a pipe into a file

In a clone of the project, write 'npm start --' instead of 'expsyn'. The exit code is 0 for success, 1 for
a failure, 2 if the command line is not understood, and 130 or 143 if the run was interrupted.`;

/** Adds the command to a program; it is what runs when no command is named. */
export function addRunCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('run', { isDefault: true })
    .summary('compute the synaptic currents of a raster (the default)')
    .description(DESCRIPTION)
    .usage('[input] [options]')
    .argument('[input]', 'spikes or input currents; without it, an example is computed');
  addSynapseOptions(command)
    .option(
      '--out <file>',
      `where to write the currents: ${outputEndings().join(', ')} or - (default: ${DEFAULT_OUT})`,
    )
    .option('--events', 'the input is a list of events')
    .option(
      '--time-unit <time>',
      'unit of the times of events, or their sampling rate (default: 1s)',
    )
    .option('--start <time>', 'time at which step 0 begins, also below 0 for events (default: 0s)')
    .option('--duration <time>', 'how much is taken (default: up to the end, or the last event)')
    .option(
      '--channels <list>',
      'ids of the channels to take, such as 0-9,12,40-; or, for events, the number of channels (default: all)',
    )
    .addOption(outsideOption())
    .option(
      '--plot <file>',
      'where to draw the picture, .svg or .png (default: expsyn.svg beside --out)',
    )
    .option('--no-plot', 'draw no picture')
    .option('--threads <n>', 'maximum number of threads (default: as many as the machine offers)')
    .option('--steps <n>', 'time steps in each block (default: 1 or 2 MB of currents)')
    .option('--every <n>', 'keep only every n-th step of the currents (default: all)')
    .addOption(choice('--reduce <how>', 'what stands for the steps up to a kept one', REDUCTIONS))
    .addOption(choice('--compression <name>', compressionHelp(), compressions()))
    .option('--resume', 'continue an unfinished run, if there is one')
    .option('--restart', 'start over, and discard an unfinished run')
    .option(
      '--input-repaired',
      'with --resume: keep the completed part although a later part of the input has changed',
    )
    .option(
      '--like <output>',
      'take the input and options that are not given from the run that made this output',
    )
    .addOption(choice('--progress <how>', 'how to show progress; auto: a bar on a terminal', SHOWN))
    .option(
      '--queue <address>',
      'share the run among the workers of a Redis queue, such as redis://host:6379',
    );
  addAddressOptions(addForbiddenOption(addSelectionOptions(command)))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', examples())
    .action(async (input: string | undefined, flags: RunFlags) => {
      const request = await readFlags(input, flags, DEFAULT_OUT);
      await run(request, context);
    });
}

const SHOWN = ['auto', 'bar', 'json', 'none'];

/** Examples of inputs, with their explanations beside them. */
function describeInputs(): string {
  return inputFormats()
    .map(({ usage: [example, explanation], isChosen = false }) => {
      const condition = isChosen ? 'with --events: ' : '';
      return `  ${example.padEnd(15)}${condition}${explanation.replaceAll('\n', `\n${' '.repeat(17)}`)}`;
    })
    .join('\n');
}

function compressionHelp(): string {
  return `compression of a ${outputEndings((output) => output.compressions.length > 0).join(' or ')} output`;
}

/** An option that takes one of a few words, the first by default. */
function choice(flags: string, description: string, words: readonly string[]): Option {
  const [first = ''] = words;
  return new Option(flags, `${description} (default: ${first})`).choices(words);
}
