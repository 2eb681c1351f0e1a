"""The light-curve service over HTTP: handlers speak HTTP only, rules live in modules of their own.

settings    what the environment says
archive     the published state that each answer comes from
desk        where work is done: threads, limits of time, cancelling
places      what is asked for, as the reader of light curves takes it
answers     rows to bytes: formats, ETag, streams
ztf, snad, scs, api    what clients speak
app         all of these as one application; server runs it, connection ends slow clients
"""
