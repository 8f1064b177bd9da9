// Where the log goes: WASI's standard output and error. Knows nothing of levels.

import stderr from 'wasi:cli/stderr@0.2.12';
import stdout from 'wasi:cli/stdout@0.2.12';

// As many bytes as a stream takes at once.
// https://github.com/WebAssembly/WASI/blob/v0.2.12/wasip2/io/streams.wit
const BYTES_MAX = 4096;

export function write(isError, bytes) {
  const stream = isError ? stderr.getStderr() : stdout.getStdout();
  for (let at = 0; at < bytes.length; at += BYTES_MAX) {
    stream.blockingWriteAndFlush(bytes.subarray(at, at + BYTES_MAX));
  }
}
