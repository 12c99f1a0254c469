# body.json contains the body byte for byte as it was received.
# The other values are from the headers of the request.
key='whpk_…'
id='msg_…'          # webhook-id
timestamp='17…'     # webhook-timestamp
signature='v1a,…'   # webhook-signature; if there are several, one of them

# All Ed25519 keys begin with the same bytes in DER.
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  printf %s "${key#whpk_}" | openssl base64 -d -A; } > key.der
{ printf '%s.%s.' "$id" "$timestamp"; cat body.json; } > signed
printf %s "${signature#v1a,}" | openssl base64 -d -A > signature

openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -rawin -in signed -sigfile signature

age=$(($(date +%s) - timestamp))
echo "The request was signed $age seconds ago. Reject it if that is more than 300."
