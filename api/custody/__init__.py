"""The keys of persons over time: replaced while the service runs, and destroyed for good. Each act is audited.

custodian   what is asked of who keeps the key-encryption keys, beyond wrapping
filed       the custodian of a key file
epochs      a new key-encryption key for all, and the end of an old one
renewal     a new key for each person, a new key of the V-number index: every value is sealed anew
inspection  does everything open, and is everything where it was sealed?
sealing     one person's sealed rows, whatever their table: read, checked, written back
store       statements on keys and rotations
"""
