#!/usr/bin/perl -0p
# A .cu file as C++: KERNEL<<<CONFIGURATION>>>(ARGUMENTS) becomes
# emulator_launch((KERNEL), CONFIGURATION)(ARGUMENTS), for tests/gpu/emulator/device.h. KERNEL is
# a name, perhaps with template arguments, or a call or an expression in parentheses.
BEGIN { print "#line 1 \"$ARGV[0]\"\n" }
my $round = qr/(\((?:[^()]++|(?-1))*+\))/;
my $angle = qr/(<(?:[^<>();]++|(?-1))*+>)/;
s/(?:(\b\w+\s*(?:$angle)?)|(\b\w+$round|$round))\s*<<<(.*?)>>>/
    my ($name, $chosen, $configuration) = ($1, $3, $6);
    defined $name ? "emulator_launch(($name), $configuration)"
                  : "emulator_launch_chosen(($chosen), $configuration)"/gsex;
