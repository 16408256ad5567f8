// The certificate of the connection, as RFC 9440 section 2.2 has it: the base64 of its DER between two colons.
// Nothing when none was shown, or when nginx did not find it good.
function field(request) {
    const pem = request.variables.ssl_client_raw_cert;
    if (!pem || request.variables.ssl_client_verify !== 'SUCCESS') {
        return '';
    }
    return ':' + pem.replace(/-----[A-Z ]+-----|\s/g, '') + ':';
}

export default { field };
