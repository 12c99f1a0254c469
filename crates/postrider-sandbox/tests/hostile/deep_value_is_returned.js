// expect: NotJson | StackOverflow
function handler(input) {
  let value = [];
  for (let i = 0; i < 1000; i++) value = [value];
  return value;
}
