/** `expsyn run`: computes the synaptic currents of a raster, and draws them. */
import { Option, type Command } from 'commander';

import { compressions, inputFormats, outputEndings } from '../../formats/registry';
import { addAddressOptions, addForbiddenOption } from '../options/address-options';
import { DEFAULT_OUT } from '../run/prepare';
import { run } from '../run/run';
import { outsideOption, readFlags, type RunFlags } from '../options/run-options';
import { addSynapseOptions } from '../options/synapse-options';
import type { CommandContext } from '../context/streams';

const DESCRIPTION = `Computes the synaptic currents of a raster of spikes, and draws them.

Each channel n is an exponential synapse: in every time step,
    isyn <- (isyn + input) * exp(-dt / tau_n)
Without an input, an example is made: 48 channels, 10 s, taus from 5 to 100 ms.`;

const examples = (): string => `
Other commands, each with a --help of its own:
  expsyn info      what a file holds, and how it was made
  expsyn plot      draws a raster, currents, or a part of them
  expsyn bench     how fast this machine computes
  expsyn worker    computes parts of runs from a queue

An input is one of
${describeInputs()}
The currents have shape (B, T, N). Neither needs to fit the memory. An output appears under its name
when it is complete, and replaces what was there. A run that was ended on the way, by Ctrl-C or a
crash, goes on with --resume, to the same bytes.

Times take a unit: s, ms, us or ns; without one they are in seconds. Fractions such as 1/30000 are times
too, and --dt and --time-unit also take rates such as 30kHz.

Examples:
  expsyn
      the example: output/raster.npy, output/isyn.npy and output/expsyn.svg
  expsyn run raster.npy --tau 20ms --out isyn.npy
      the currents of an own raster, and a picture of them beside isyn.npy
  expsyn run raster.npy --tau 5ms,20ms,100ms --dt 0.5ms --no-plot
      three channels with a tau each, steps of 0.5 ms, no picture
  expsyn run raster.npy --noise-std 0.1 --noise state --seed 7
      currents with noise, the same in every run
  expsyn run events.npy --events --dt 0.5ms --window-taus Infinity --dtype float32
      spikes as a list, kernels that are not cut off, single precision
  expsyn run huge.npy --out huge.zarr --compression zstd --resume
      begins, or goes on where the last attempt was ended
  expsyn run other.npy --like isyn.npy --out other-isyn.npy
      another raster with the options of an earlier run
  zcat raster.npy.gz | expsyn run - --out - > isyn.npy
      in a pipe

In a clone of the project, write 'npm start --' for 'expsyn'. The exit code is 0 for success, 1 when
something failed, 2 for a command line that is not understood, 130 or 143 when it was interrupted.`;

/** Adds the command to a program; it is what runs when no command is named. */
export function addRunCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('run', { isDefault: true })
    .summary('compute the synaptic currents of a raster (the default)')
    .description(DESCRIPTION)
    .usage('[input] [options]')
    .argument('[input]', 'spikes or input currents; without it, an example is made');
  addSynapseOptions(command)
    .option(
      '--out <file>',
      `where the currents go: ${outputEndings().join(', ')} or - (default: ${DEFAULT_OUT})`,
    )
    .option('--events', 'the input is a list of events')
    .option('--time-unit <time>', 'the unit of the times of events, or their rate (default: 1s)')
    .option('--start <time>', 'the time of events at which step 0 begins (default: 0s)')
    .option('--duration <time>', 'length of the raster of events (default: to the last one)')
    .option('--channels <n>', 'channels of the raster of events (default: to the last one)')
    .addOption(outsideOption())
    .option(
      '--plot <file>',
      'where the picture goes, .svg or .png (default: expsyn.svg beside --out)',
    )
    .option('--no-plot', 'draw no picture')
    .option('--threads <n>', 'the most threads that compute (default: as many as there are)')
    .option(
      '--steps <n>',
      'time steps that are computed at a time (default: 1 or 2 MB of currents)',
    )
    .addOption(choice('--compression <name>', compressionHelp(), compressions()))
    .option('--resume', 'go on with an unfinished run, if there is one')
    .option('--restart', 'start over, whatever an unfinished run has done')
    .option(
      '--input-repaired',
      'with --resume: keep what is done although the input has changed where it was not read yet',
    )
    .option('--like <output>', 'take what is not given from the run that made this output')
    .addOption(choice('--progress <how>', 'how to show progress; auto: a bar on a terminal', SHOWN))
    .option(
      '--queue <address>',
      'let the workers of a Redis queue compute, such as redis://host:6379',
    );
  addAddressOptions(addForbiddenOption(command))
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
  return `of a ${outputEndings((output) => output.compressions.length > 0).join(' or ')} output`;
}

/** An option that takes one of a few words, the first by default. */
function choice(flags: string, description: string, words: string[]): Option {
  const [first = ''] = words;
  return new Option(flags, `${description} (default: ${first})`).choices(words);
}
