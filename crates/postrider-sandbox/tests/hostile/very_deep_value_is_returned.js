// expect: NotJson | StackOverflow | OutOfMemory
function handler(input) {
  let value = [];
  for (let i = 0; i < 100000; i++) value = [value];
  return value;
}
