// expect: Timeout
function handler(input) {
  const error = new Error('a');
  Object.defineProperty(error, 'message', { get() { for (;;) {} } });
  throw error;
}
