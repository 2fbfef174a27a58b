"""The command line of gandetect: data on stdout, everything else on stderr."""
