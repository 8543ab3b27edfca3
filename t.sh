L () 
{ 
    T -l "${1%;}";
    [ "${1%;}" != "$1" ] && T -l '\;';
    sleep 0.15;
    T Enter;
    sleep ${2:-0.6}
}
K () 
{ 
    T C-c;
    sleep 0.3;
    T C-c;
    sleep 0.3;
    T C-l;
    sleep 0.3
}
