/** What is said where FFTW is needed and missing: the sentences, and how to install it on this system. */
import { readFileSync } from 'node:fs';

import { CommandError } from './command-errors';
import { errorWith, type ExpSynError } from './error-codes';
import { message, option, wordMessage, type Message } from './message';

/** How systems of Linux install both precisions, by the names that os-release gives them. */
const LINUX_COMMANDS: readonly (readonly [names: readonly string[], command: string])[] = [
  [['debian', 'ubuntu'], 'apt-get install libfftw3-double3 libfftw3-single3'],
  [['fedora', 'rhel', 'centos'], 'dnf install fftw-libs'],
  [['alpine'], 'apk add fftw-double-libs fftw-single-libs'],
  [['arch'], 'pacman -S fftw'],
  // The second one makes FFTW's planner safe for other code of the process that plans.
  [['suse', 'opensuse'], 'zypper install libfftw3-3 libfftw3_threads3'],
];

/** What to do about a missing FFTW, on this system unless another is given. */
export function installationAdvice(
  platform: string = process.platform,
  readNames: () => readonly string[] = namesOfLinux,
): string {
  if (process.env['EXPSYN_FFTW']) {
    return "unset EXPSYN_FFTW, or set it to the absolute path of the folder of FFTW's libraries";
  }
  switch (platform) {
    case 'wasm':
      return 'compute it in Node, which can';
    case 'darwin':
      return "install it by 'brew install fftw'";
    case 'win32':
      return (
        'put libfftw3-3.dll and libfftw3f-3.dll (https://www.fftw.org/install/windows.html) into a ' +
        'folder and set EXPSYN_FFTW to the absolute path of that folder'
      );
    default: {
      const names = platform === 'linux' ? readNames() : [];
      const found = LINUX_COMMANDS.find(([known]) => known.some((name) => names.includes(name)));
      return found === undefined
        ? 'install FFTW 3 in double and single precision'
        : `install it by '${found[1]}'`;
    }
  }
}

/**
 * What to do about an FFTW that is missing for this reason. WebAssembly can't use one that is installed; in
 * Node, it stands in for a binary that the package has not.
 */
export function adviceOn(received: string, platform: string = process.platform): string {
  return received.includes('WebAssembly') && platform !== 'wasm'
    ? 'compute it on a system that the package has a binary for, or build the addon in a clone'
    : installationAdvice(platform);
}

/** The name of this Linux, and of those that it is like. */
function namesOfLinux(): string[] {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const values = [...text.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].map(([, value = '']) => value);
    return values.flatMap((value) => value.replace(/^"(.*)"$/, '$1').split(' '));
  } catch {
    return [];
  }
}

/** What is missing. */
export interface MissingFftw {
  /** 'FFTW in double precision' */
  readonly expected: string;
  /** 'none', and why. */
  readonly received: string;
}

/** The sentence about a call by method 'fft' that cannot be computed. */
export function fftwSentence({ expected, received }: MissingFftw): Message {
  return message`Expected ${expected} for ${option('method', 'fft')} but found ${received}; \
${adviceOn(received)}, or use ${option('method', 'auto')}.`;
}

/** The error about a call by method 'fft' that cannot be computed. */
export function fftwMissing(missing: MissingFftw): Error & ExpSynError {
  const advice = `${adviceOn(missing.received)}, or use method 'auto'`;
  return errorWith(new Error(wordMessage(fftwSentence(missing))), 'ERR_EXPSYN_FFTW_MISSING', {
    argument: 'method',
    ...missing,
    advice,
  });
}

/** That error as the command line words it; any other error as it is. */
export function asCommandError(error: unknown): unknown {
  const { code, expected = '', received = '' } = error as Partial<ExpSynError>;
  if (code !== 'ERR_EXPSYN_FFTW_MISSING') return error;
  return new CommandError(fftwSentence({ expected, received }), { cause: error });
}

/** The warning about calls that take longer than they would with FFTW. */
export function fftwWarning({ expected, received }: MissingFftw): string {
  return (
    `Expected ${expected} for a kernel that has no recursion but found ${received}; the sum over ` +
    `its window is computed directly, which takes longer: ${adviceOn(received)}.`
  );
}
