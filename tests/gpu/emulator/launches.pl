#!/usr/bin/perl -0p
# A .cu file as C++: KERNEL<<<CONFIGURATION>>>(ARGUMENTS) becomes
# emulator_launch((KERNEL), CONFIGURATION)(ARGUMENTS), for tests/gpu/emulator/device.h. KERNEL is
# a name, perhaps with template arguments or a call's, or an expression in parentheses.
BEGIN { print "#line 1 \"$ARGV[0]\"\n" }
my $round = qr/(\((?:[^()]++|(?-1))*+\))/;
my $angle = qr/(<(?:[^<>();]++|(?-1))*+>)/;
s/((?:\b\w+\s*(?:$angle)?(?:$round)?|$round))\s*<<<(.*?)>>>/
    (my $configuration = $5) ; "emulator_launch(($1), $configuration)"/gsex;
