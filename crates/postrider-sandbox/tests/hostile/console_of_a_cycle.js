// expect: returns 1
function handler(input) {
  input.input = input;
  console.log(input, 'after');
  return 1;
}
