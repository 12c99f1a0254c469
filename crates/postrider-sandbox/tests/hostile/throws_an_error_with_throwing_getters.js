// expect: Thrown
function handler(input) {
  const error = new Error('a');
  for (const name of ['message', 'stack', 'name']) {
    Object.defineProperty(error, name, { get() { throw error; } });
  }
  throw error;
}
