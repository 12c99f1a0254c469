// expect: Thrown
function handler(input) {
  const error = new Error('a');
  error.message = { toString: null, valueOf: null };
  error.name = Symbol('b');
  Object.defineProperty(error, 'stack', { value: 1n });
  throw error;
}
