/** What Windows does in another way than other systems. Most of it can be tested on any system. */
import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { nameOf } from '../../lib/cli/run/other-files';
import { exitCodeOf, InterruptedError, interrupts } from '../../lib/errors/command-errors';
import { fileError, isReaderGone } from '../../lib/errors/system-errors';
import { writeCompleteFile } from '../../lib/formats/files/complete-file';
import { patiently } from '../../lib/formats/files/patience';
import { hasEnding } from '../../lib/formats/format';
import { temporaryFolder } from '../support/folders';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code, syscall: 'rename', path: 'a' });
}

/** Fails so many times with a code, then succeeds. Tells how often it was called. */
function failing(code: string, times: number) {
  const work = { calls: 0, run: () => Promise.resolve('done') };
  work.run = () => {
    work.calls++;
    return work.calls > times ? Promise.resolve('done') : Promise.reject(failure(code));
  };
  return work;
}

describe('on Windows', () => {
  const folder = temporaryFolder();

  it('a file that is in use for a moment is tried again', async () => {
    for (const code of ['EPERM', 'EACCES', 'EBUSY']) {
      const work = failing(code, 3);
      assert.equal(await patiently(work.run, 'win32'), 'done');
      assert.equal(work.calls, 4);
    }
  });

  it('a file that stays in use is an error after some attempts', async () => {
    const work = failing('EPERM', Infinity);
    await assert.rejects(patiently(work.run, 'win32'), { code: 'EPERM' });
    assert.ok(work.calls > 5 && work.calls < 20);
  });

  it('no other error is waited for, nor one of another system', async () => {
    for (const [code, platform] of [
      ['ENOENT', 'win32'],
      ['ENOSPC', 'win32'],
      ['EPERM', 'linux'],
      ['EACCES', 'darwin'],
    ] as const) {
      const work = failing(code, 1);
      await assert.rejects(patiently(work.run, platform), { code });
      assert.equal(work.calls, 1);
    }
  });

  it('a file is replaced while somebody reads it', async () => {
    const path = join(folder.path, 'file');
    await writeCompleteFile(path, [Buffer.from('before')]);
    const reader = await open(path, 'r');
    const writing = writeCompleteFile(path, [Buffer.from('after')]);
    await sleep(200);
    assert.equal(await reader.readFile('utf8'), 'before');
    await reader.close();
    await writing;
    assert.equal(await readFile(path, 'utf8'), 'after');
  });

  it('a refusal may mean that another program has the file open', () => {
    for (const code of ['EPERM', 'EACCES']) {
      const { message } = fileError('write', 'a.npy', failure(code), 'win32') as Error;
      assert.equal(
        message,
        'Could not write a.npy: access to it is denied, or another program has it open.',
      );
      const other = fileError('write', 'a.npy', failure(code), 'linux') as Error;
      assert.equal(other.message, 'Could not write a.npy: access to it is denied.');
    }
    const { message } = fileError('write', 'a.npy', failure('EROFS'), 'win32') as Error;
    assert.equal(message, 'Could not write a.npy: its disk is read-only.');
  });

  it('a folder may end with a backslash', () => {
    for (const path of ['isyn.zarr', 'isyn.zarr/', 'C:\\runs\\isyn.zarr\\', 'ISYN.ZARR\\/']) {
      assert.ok(hasEnding(path, ['.zarr'], '\\'), path);
    }
    assert.ok(!hasEnding('isyn.zarr\\', ['.zarr'], '/'));
    assert.ok(!hasEnding('isyn\\zarr', ['.zarr'], '\\'));
  });

  it('capitals make no other file', () => {
    assert.equal(nameOf('C:\\Runs\\Isyn.npy', 'win32'), nameOf('c:\\runs\\isyn.NPY', 'win32'));
    assert.equal(nameOf('/runs/Isyn.npy', 'darwin'), nameOf('/runs/isyn.npy', 'darwin'));
    assert.notEqual(nameOf('/runs/Isyn.npy', 'linux'), nameOf('/runs/isyn.npy', 'linux'));
  });

  it('Ctrl+Break and a window that is closed interrupt, too', () => {
    assert.deepEqual(interrupts('linux'), ['SIGINT', 'SIGTERM']);
    assert.deepEqual(interrupts('win32'), ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP']);
    assert.deepEqual(interrupts('win32').map(exitCodeOf), [130, 143, 149, 129]);
    assert.equal(new InterruptedError('The run was interrupted.', 'SIGBREAK').exitCode, 149);
    assert.equal(new InterruptedError('The run was interrupted.', undefined).exitCode, 130);
  });

  it('a pipe whose reader has ended is at its end', () => {
    for (const code of ['EPIPE', 'EOF']) assert.ok(isReaderGone(failure(code)));
    assert.ok(!isReaderGone(failure('EIO')));
  });
});
