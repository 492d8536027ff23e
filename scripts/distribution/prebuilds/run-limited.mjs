/** Runs a program whose output goes to a file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** Resolves to { code, output }; code is null if it took longer than limitMs. */
export async function runLimited([program, ...words], { folder, log, limitMs, env }) {
  const file = openSync(log, 'w');
  try {
    const child = spawn(program, words, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', file, file],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    const code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    return { code, output: readFileSync(log, 'utf8').replaceAll('\r', '') };
  } finally {
    closeSync(file);
  }
}
