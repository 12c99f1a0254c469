# body.json contains the body byte for byte as it was received.
# The other values are from the headers of the request.
secret='whsec_…'
id='msg_…'          # webhook-id
timestamp='17…'     # webhook-timestamp
signature='v1,…'    # webhook-signature

key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected="v1,$({ printf '%s.%s.' "$id" "$timestamp"; cat body.json; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)"

# During a rotation of the secret there are several signatures, separated by spaces.
case " $signature " in
  *" $expected "*) echo 'The signature is valid.' ;;
  *) echo 'The signature is not valid.' ;;
esac

age=$(($(date +%s) - timestamp))
echo "The request was signed $age seconds ago. Reject it if that is more than 300."
