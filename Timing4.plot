set output 'Timing4.svg
set terminal svg
set multiplot
set grid
set title "Clients scheduling latency"
set xlabel "audio cycles"
set ylabel "usec"
plot "/tmp/pw8Khw/prof" using 9 title "pw-play/51" with lines, "/tmp/pw8Khw/prof" using 17 title "pw-play/45" with lines
unset multiplot
unset output
