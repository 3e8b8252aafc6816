set output 'Timing3.svg
set terminal svg
set multiplot
set grid
set title "Clients end date"
set xlabel "audio cycles"
set ylabel "usec"
plot "/tmp/pw8Khw/prof" using 1 title "Audio period" with lines, "/tmp/pw8Khw/prof" using 8 title "pw-play/51" with lines, "/tmp/pw8Khw/prof" using 16 title "pw-play/45" with lines
unset multiplot
unset output
